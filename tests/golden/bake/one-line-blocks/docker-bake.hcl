variable "T" { default = "x" }
group "default" { targets = ["a"] }
target "a" { tags = ["${T}"] }
