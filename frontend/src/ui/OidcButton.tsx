import { useMutation } from "@tanstack/react-query";
import { LogIn } from "lucide-react";
import { messageOf } from "../api/client";
import { api } from "../api/endpoints";
import { Button, Note } from "./kit/kit";
import { keepWayOn } from "./wayIn";

interface OidcButtonProps {
  label: string;
  /** Where to go on after the sign-in. */
  from: string;
  /** Of a link that somebody new joins by. */
  invitation?: string;
}

/** Leaves for the provider's page; it sends the person back to /sign-in. */
export function OidcButton({ label, from, invitation }: OidcButtonProps) {
  const begin = useMutation({
    mutationFn: () => api.signInElsewhere(invitation),
    onSuccess: ({ url }) => {
      keepWayOn(from);
      window.location.assign(url);
    },
  });
  return (
    <div className="stack stack--small">
      <p className="or">or</p>
      {begin.isError && <Note tone="bad">{messageOf(begin.error)}</Note>}
      <Button size="large" icon={LogIn} busy={begin.isPending} onClick={() => begin.mutate()}>
        {label}
      </Button>
    </div>
  );
}
