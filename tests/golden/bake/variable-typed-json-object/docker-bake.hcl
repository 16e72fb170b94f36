variable "O" {
  type = object({ a = object({ b = string, c = number }), l = list(object({ q = bool })), n = optional(string) })
}
variable "M" {
  type = map(object({ k = string, v = set(number) }))
}
target "default" {
  args = { O = jsonencode(O), M = jsonencode(M) }
}
