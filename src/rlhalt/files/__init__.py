"""What lies on disk: JSON lines, CSV and YAML read strictly, outputs that are resumed, and what made each one."""
