"""Text -> vectors and terms -> nearest rows. Knows strings, arrays and row numbers; never a Document."""
