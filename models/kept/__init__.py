"""What is costly to make and kept between trainings."""
