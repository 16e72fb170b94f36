variable "X" {
  default = true
}
target "default" {
  args = X ? { A = "1", B = 2 } : {}
  labels = !X ? {} : { l = X }
}
