"""The CodePipeline service, which the emulator lacks: definitions, executions, and their states.

``declaration`` checks definitions, ``executions`` says what an execution is, ``store`` keeps both and
``engine`` moves executions through stages. ``views`` answers in the shapes of AWS's API, and ``service`` is
its JSON protocol. What an action does is for ``actions`` to know, and is handed to the engine as a function.
"""
