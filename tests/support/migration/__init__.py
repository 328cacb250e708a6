"""Files as users of hosted fine-tuning and of other trainers keep them, for a tide pump T-7."""

from pathlib import Path

FOLDER = Path(__file__).parent
