"""What is beside the pages: apps, pages from elsewhere, beacons, flags."""
