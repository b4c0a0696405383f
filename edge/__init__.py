"""The edge runtime: reads bundles, decides, personalizes pages. Installs alone."""
