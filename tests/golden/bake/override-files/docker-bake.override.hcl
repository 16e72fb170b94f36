variable "TAG" {
  default = "over"
}
target "app" {
  args = { X = 1 }
}
