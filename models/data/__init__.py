"""What is learned from: interactions, their contexts and order, and how they are divided."""
