"""What measures: used by the metrics of a modality."""
