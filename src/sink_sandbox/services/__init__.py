"""The emulated services, a package each; in each, only ``patch`` imports ministack."""
