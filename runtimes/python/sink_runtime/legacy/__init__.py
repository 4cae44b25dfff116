"""Apps of the legacy platform: their layout, `app-boot` and supervisor programs, in our images.

Which folders, files and names these are was read off that platform's public repository; see
docs/decisions of the platform for what is served and how.
"""
