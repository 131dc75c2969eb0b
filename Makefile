# Front door; CMakeLists.txt is the build.
BUILD ?= build
all:
	cmake -S . -B $(BUILD) && cmake --build $(BUILD) -j2
.PHONY: all
