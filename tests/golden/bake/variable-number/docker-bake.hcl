variable "N" {
  default = 3
}
target "default" {
  args = {
    N = N + 1
    M = N * 1.5
  }
}
