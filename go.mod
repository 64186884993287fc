module cirro

go 1.26
