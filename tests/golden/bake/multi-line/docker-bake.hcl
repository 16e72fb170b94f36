target "default" {
  tags = concat(
    ["a"],
    [
      "b",
    ],
  )
  args = {
    A = (
      1 +
      2
    )
  }
}
