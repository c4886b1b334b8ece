"""Reports: an experiment as one page to read, in HTML or Markdown, without script and without link to elsewhere."""
