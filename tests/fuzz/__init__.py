"""Mutated inputs for everything that reads what strangers send, by the million.

    make fuzz                                          # 10,000,000 inputs
    make fuzz ARGS="--count 200000 --only sdp rtp"
    make fuzz ARGS="--minutes 30 --seed 7"

An input is a real message with some faults, drawn from a seed: the same seed, target and round give the same inputs. A
target takes it as Kobza would; nothing may come out but what that place is documented to raise, and no input may take
longer than its length allows. What is found is kept in `build/fuzz`, with the command that plays it again.
"""
