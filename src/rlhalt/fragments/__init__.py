"""What cuts a response into the smallest pieces that can be right or wrong: one module a kind of piece."""
