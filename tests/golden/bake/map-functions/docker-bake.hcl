variable "M" {
  default = { a = 1, b = 2 }
}
target "default" {
  args = merge(M, { c = lookup(M, "z", "none") })
  labels = { keys = join(",", keys(M)), values = join(",", values(M)), z = jsonencode(zipmap(["x"], ["y"])) }
}
