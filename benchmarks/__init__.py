"""What things cost, measured. Quote ratios of one run: machines differ."""
