variable "P" {
  type = list(string)
  default = []
}
target "default" {
  platforms = P
}
