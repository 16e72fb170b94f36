variable "V" {
  type = any
}
variable "W" {
  type = any
}
target "default" {
  args = {
    V = jsonencode(V)
    W = jsonencode(W)
  }
}
