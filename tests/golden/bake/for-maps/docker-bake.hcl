variable "M" {
  default = { a = 1, b = 2 }
}
target "default" {
  args = { for k, v in M: upper(k) => "v${v}" if v > 1 }
  labels = { for x in ["a", "b"]: "l.${x}" => x }
}
