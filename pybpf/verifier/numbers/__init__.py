"""What is known of a number: bits (`tnum`), ranges (`num`), and what arithmetic and comparisons do to them."""
