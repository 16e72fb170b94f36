variable "L" {
  default = ["a", "b"]
}
target "default" {
  args = { A = L[0], B = L.1, C = { x = ["y"] }.x[0], D = L[length(L) - 1] }
}
