variable "O" {
  type = object({ a = string, b = optional(number) })
  default = { a = 1 }
}
target "default" {
  args = { A = O.a, B = O.b == null ? "none" : O.b }
}
