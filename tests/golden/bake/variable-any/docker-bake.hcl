variable "X" {
  type = any
  default = { a = [1, "b"] }
}
target "default" {
  args = { J = jsonencode(X) }
}
