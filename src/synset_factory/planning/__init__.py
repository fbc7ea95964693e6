"""What a run will take, said before anything is spent."""
