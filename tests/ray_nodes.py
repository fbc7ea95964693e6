"""Two nodes of Ray on this machine's loopback, of one CPU each, in a process of their own.

    python -m tests.ray_nodes

prints the address and the first node's id, stops the second node when a line comes in, and ends
when no more can come.
"""

import sys

from ray.cluster_utils import Cluster

NODE = {"num_cpus": 1, "include_dashboard": False, "object_store_memory": 80 * 2**20}


def main() -> None:
    cluster = Cluster()
    first, second = cluster.add_node(**NODE), cluster.add_node(**NODE)
    print(cluster.address, first.node_id, flush=True)
    for _ in sys.stdin:
        cluster.remove_node(second)
        print("stopped", flush=True)
    cluster.shutdown()


if __name__ == "__main__":
    main()
