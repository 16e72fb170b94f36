variable "N" {
  default = 1
}
variable "L" {
  type = list(number)
}
target "default" {
  args = {
    N = N
    L = jsonencode(L)
  }
}
