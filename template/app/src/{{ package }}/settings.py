"""The settings of the service, from the environment and, where it says nothing, from .env."""

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

ENV_FILE = Path(__file__).parents[2] / ".env"
"""Beside src/, in the image /app/.env, wherever the process was started."""


class Settings(BaseSettings):
    """One field per variable: `log_level` is LOG_LEVEL. A field without a default must be set."""

    # hide_input_in_errors: a value that is refused may be a secret, and the message ends up in a log.
    model_config = SettingsConfigDict(env_file=ENV_FILE, extra="ignore", hide_input_in_errors=True)

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    notes_limit: int = Field(default=1000, ge=1)
    """How many notes are kept at most: they live in memory."""
