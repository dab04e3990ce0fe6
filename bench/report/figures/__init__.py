"""Figures for papers: SVG, PDF and the CSV behind each. matplotlib and seaborn are imported when one is drawn."""
