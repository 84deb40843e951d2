"""Sources whose files fit no layout: one module each, with the reason in its docstring."""
