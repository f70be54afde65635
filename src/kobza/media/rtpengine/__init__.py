"""The second media plane: packets move in rtpengine, on this machine or on others, steered over its NG protocol."""
