"""CodeBuild's work: runs a build's buildspec in a shell on this machine and keeps its record true.

``shell`` runs commands, ``environment`` makes what they see, ``packages`` packs and unpacks artifacts,
``log`` writes to CloudWatch Logs, ``runner`` goes through the phases and ``service`` keeps the threads.
"""
