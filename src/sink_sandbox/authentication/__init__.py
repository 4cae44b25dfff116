"""Who may ask the sandbox for anything: root's secret, signatures, tokens, the guard before every route."""
