target "default" {
  tags = [T]
}
variable "T" {
  default = "a"
}
