"""What came of a check, as text, JSON, SARIF and HTML; and warnings."""
