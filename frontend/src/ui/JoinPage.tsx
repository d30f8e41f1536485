import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useEffect, useState } from "react";
import { Link, useNavigate, useParams } from "react-router";
import { messageOf, speakFor } from "../api/client";
import { api } from "../api/endpoints";
import type { User } from "../api/types";
import { TextField } from "./kit/fields";
import { Button, Loading, Note } from "./kit/kit";
import { Logo } from "./Logo";
import { OidcButton } from "./OidcButton";
import { SignInArt } from "./SignInArt";
import { sessionQuery, useSession } from "./session";
import { usePageTitle } from "./usePageTitle";

/** Where an invitation's link leads: join with the account one has, or make one. */
export function JoinPage() {
  usePageTitle("Join");
  const secret = useParams().secret ?? "";
  const session = useSession();
  const invitation = useQuery({
    queryKey: ["invitation", secret],
    queryFn: () => api.invitation(secret),
    retry: false,
  });
  return (
    <main className="sign-in" id="content">
      <section className="sign-in__art">
        <SignInArt />
        <div>
          <h2>Click an object. Keep the mask. The model learns.</h2>
          <p>A segmentation data engine for teams: label together, retrain, and see whether the new model is better.</p>
        </div>
      </section>
      <section className="sign-in__form">
        <div className="stack">
          <span className="brand">
            <Logo size={34} />
            Anymask
          </span>
          {(invitation.isPending || session.isPending) && <Loading label="Looking at the invitation" />}
          {invitation.isError && (
            <>
              <h1>This link is closed</h1>
              <Note tone="bad">{messageOf(invitation.error)}</Note>
              <Link to="/">To the datasets</Link>
            </>
          )}
          {invitation.data && session.data && (
            <>
              <h1>Join {invitation.data.dataset_name}</h1>
              <p>
                {invitation.data.invited_by ?? "Somebody"} invites you as <b>{invitation.data.role}</b>.
              </p>
              {session.data.user ? (
                <JoinAs secret={secret} user={session.data.user} />
              ) : (
                <>
                  <NewAccount secret={secret} />
                  {session.data.oidc && (
                    <OidcButton
                      label={`Join with ${session.data.oidc.name}`}
                      from={`/join/${secret}`}
                      invitation={secret}
                    />
                  )}
                </>
              )}
            </>
          )}
        </div>
      </section>
    </main>
  );
}

function useJoin(secret: string) {
  const queries = useQueryClient();
  const navigate = useNavigate();
  return useMutation({
    mutationFn: (body: { username?: string; password?: string; name?: string }) => api.join(secret, body),
    onSuccess: async ({ dataset }) => {
      await queries.resetQueries({ queryKey: sessionQuery.queryKey });
      navigate(`/datasets/${dataset}`, { replace: true });
    },
  });
}

function JoinAs({ secret, user }: { secret: string; user: User }) {
  const join = useJoin(secret);
  // Nobody else joins by this button who has signed in in another tab meanwhile.
  useEffect(() => {
    speakFor(user.id);
    return () => speakFor(null);
  }, [user.id]);
  return (
    <>
      {join.isError && <Note tone="bad">{messageOf(join.error)}</Note>}
      <Button look="primary" size="large" busy={join.isPending} onClick={() => join.mutate({})}>
        Join as {user.name || user.username}
      </Button>
    </>
  );
}

function NewAccount({ secret }: { secret: string }) {
  const [username, setUsername] = useState("");
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const join = useJoin(secret);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    join.mutate({ username: username.trim(), password, name: name.trim() });
  };
  return (
    <form className="stack" onSubmit={submit}>
      {join.isError && <Note tone="bad">{messageOf(join.error)}</Note>}
      <TextField
        label="User name"
        hint="Letters, digits and @ . + - _"
        autoComplete="username"
        autoCapitalize="none"
        required
        maxLength={150}
        value={username}
        onChange={setUsername}
      />
      <TextField
        label="Your name"
        hint="Optional. Others see it beside your work."
        autoComplete="name"
        maxLength={150}
        value={name}
        onChange={setName}
      />
      <TextField
        label="Password"
        hint="At least 8 characters, not a common one, not all digits."
        type="password"
        autoComplete="new-password"
        required
        minLength={8}
        value={password}
        onChange={setPassword}
      />
      <Button type="submit" look="primary" size="large" busy={join.isPending}>
        Make an account and join
      </Button>
      <p className="small">
        You have an account?{" "}
        <Link to="/sign-in" state={{ from: `/join/${secret}` }}>
          Sign in
        </Link>{" "}
        and come back here.
      </p>
    </form>
  );
}
