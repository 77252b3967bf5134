"""What trainings of a few steps on the tiny model share."""

TRAINING = {
    "gradient_checkpointing": False,
    "use_cpu": True,
    "bf16": False,
    "save_strategy": "no",
    "report_to": "none",
    "logging_steps": 1,
    "max_length": 256,
}
