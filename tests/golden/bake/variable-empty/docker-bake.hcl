variable "X" {}
target "default" {
  tags = ["a/b:${X}", notequal("", X) ? "a/b:x" : ""]
}
