#!/usr/bin/python3
"""Play the kubelet: a few calls of the container runtime interface. `cri.py SOCKET VERB ...`

  version                       the runtime's name and version
  ready                         exit status 0 when the runtime says that the network is ready
  run [OPTION ...] NAME [IMAGE COMMAND ...]  a pod, with one container when IMAGE is given: prints the pod's id, the
                                container's behind
      --port HOST:CONTAINER[/PROTOCOL]   a host port (tcp, udp or sctp)
      --annotation KEY=VALUE             as the API server hands them on, bandwidth limits among them
  ips POD                       its addresses, one a line
  exec CONTAINER COMMAND ...    run it there; output and exit status are its own
  stop POD | remove POD
"""
import sys

import cri_pb2 as messages  # made from cri.proto by grpc_tools.protoc, found over PYTHONPATH
import cri_pb2_grpc as services
import grpc

DEADLINE = 20
PROTOCOLS = ["tcp", "udp", "sctp"]  # by their numbers in the interface


def port_mapping(text):
    ports, _, protocol = text.partition("/")
    host, container = ports.split(":")
    return messages.PortMapping(protocol=PROTOCOLS.index(protocol or "tcp"), container_port=int(container),
                                host_port=int(host))


def pod_config(name, ports, annotations):
    return messages.PodSandboxConfig(
        metadata=messages.PodSandboxMetadata(name=name, uid="uid-" + name, namespace="default"),
        hostname=name, log_directory="/run/pods", annotations=annotations,
        port_mappings=[port_mapping(port) for port in ports],
        linux=messages.LinuxPodSandboxConfig(cgroup_parent="/pods"))


def run(runtime, *words):
    words, ports, annotations = list(words), [], {}
    while words[0] in ("--port", "--annotation"):
        option, value = words.pop(0), words.pop(0)
        if option == "--port":
            ports.append(value)
        else:
            key, _, text = value.partition("=")
            annotations[key] = text
    name, *container = words
    config = pod_config(name, ports, annotations)
    pod = runtime.RunPodSandbox(messages.RunPodSandboxRequest(config=config), timeout=DEADLINE).pod_sandbox_id
    print(pod)
    if container:
        request = messages.CreateContainerRequest(
            pod_sandbox_id=pod, sandbox_config=config,
            config=messages.ContainerConfig(metadata=messages.ContainerMetadata(name="main"),
                                            image=messages.ImageSpec(image=container[0]), command=container[1:]))
        made = runtime.CreateContainer(request, timeout=DEADLINE).container_id
        runtime.StartContainer(messages.ContainerRequest(container_id=made), timeout=DEADLINE)
        print(made)


def ips(runtime, pod):
    status = runtime.PodSandboxStatus(messages.PodSandboxRequest(pod_sandbox_id=pod), timeout=DEADLINE).status
    for address in [status.network.ip] + [more.ip for more in status.network.additional_ips]:
        print(address)


def execute(runtime, container, *command):
    answer = runtime.ExecSync(messages.ExecSyncRequest(container_id=container, cmd=command, timeout=DEADLINE),
                              timeout=DEADLINE)
    sys.stdout.buffer.write(answer.stdout)
    sys.stderr.buffer.write(answer.stderr)
    return answer.exit_code


def ready(runtime):
    conditions = runtime.Status(messages.StatusRequest(), timeout=DEADLINE).status.conditions
    for condition in conditions:
        print(condition.type, condition.status, condition.message)
    return 0 if all(condition.status for condition in conditions) else 1


def version(runtime):
    answer = runtime.Version(messages.VersionRequest(version="v1"), timeout=DEADLINE)
    print(answer.runtime_name, answer.runtime_version)


def stop(runtime, pod):
    runtime.StopPodSandbox(messages.PodSandboxRequest(pod_sandbox_id=pod), timeout=DEADLINE)


def remove(runtime, pod):
    runtime.RemovePodSandbox(messages.PodSandboxRequest(pod_sandbox_id=pod), timeout=DEADLINE)


VERBS = {"version": version, "ready": ready, "run": run, "ips": ips, "exec": execute, "stop": stop, "remove": remove}


def main():
    if len(sys.argv) < 3 or sys.argv[2] not in VERBS:
        sys.exit(__doc__)
    with grpc.insecure_channel("unix://" + sys.argv[1]) as channel:
        try:
            return VERBS[sys.argv[2]](services.RuntimeServiceStub(channel), *sys.argv[3:])
        except grpc.RpcError as error:
            sys.exit(f"{sys.argv[2]}: {error.code().name}: {error.details()}")


if __name__ == "__main__":
    sys.exit(main())
