"""What may be read and written, and through which pointers."""
