"""Pages: cut once into static chunks and placements, joined with fragments."""
