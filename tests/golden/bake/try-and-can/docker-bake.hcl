variable "M" {
  default = { a = 1 }
}
target "default" {
  args = { A = try(M.b, "none"), B = can(M.a), C = coalesce(null, "x"), D = convert("5", number) + 1 }
}
