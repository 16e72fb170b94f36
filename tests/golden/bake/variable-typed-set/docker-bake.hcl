variable "S" {
  type = set(string)
  default = ["b", "a", "b"]
}
target "default" {
  tags = [for s in S: "x/y:${s}"]
}
