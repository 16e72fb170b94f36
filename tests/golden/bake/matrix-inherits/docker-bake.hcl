target "base-x" {
  args = { B = "x" }
}
target "base-y" {
  args = { B = "y" }
}
target "app" {
  matrix = { v = ["x", "y"] }
  name = "app-${v}"
  inherits = ["base-${v}"]
  contexts = { base = "target:base-${v}" }
}
