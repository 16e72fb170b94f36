variable "X" {
  default = null
}
target "default" {
  tags = X == null ? ["a/b:none"] : ["a/b:${X}"]
}
