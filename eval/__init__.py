"""Questions with known answers -> numbers. Write `from eval.x import y`: `import eval.x` would hide the builtin."""
