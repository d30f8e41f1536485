import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { KeyRound } from "lucide-react";
import { useState } from "react";
import { Link } from "react-router";
import { api } from "../api/endpoints";
import { CopyField } from "./dataset/CopyField";
import { GroupsSection } from "./GroupsSection";
import { CardForm, TextField } from "./kit/fields";
import { ago } from "./kit/format";
import { Button, EmptyState, ErrorState, Loading, TableScroll } from "./kit/kit";
import { RemoveButton } from "./kit/RemoveButton";
import { useChange } from "./kit/useChange";
import { useUser } from "./session";
import { usePageTitle } from "./usePageTitle";

/** One's own account: the keys by which scripts work in one's name, and one's groups. */
export function AccountPage() {
  usePageTitle("Your account");
  const user = useUser();
  return (
    <main className="page" id="content">
      <div className="page__head">
        <div>
          <p className="small crumb">
            <Link to="/">Datasets</Link>
          </p>
          <h1>{user.name || user.username}</h1>
          <p>Signed in as {user.username}.</p>
        </div>
      </div>
      <div className="columns">
        <Tokens />
        <NewToken />
      </div>
      <GroupsSection />
    </main>
  );
}

function Tokens() {
  const tokens = useQuery({ queryKey: ["tokens"], queryFn: api.tokens });
  const revoke = useChange(api.revokeToken, [["tokens"]]);
  if (tokens.isPending) return <Loading label="Loading your tokens" />;
  if (tokens.isLoadingError) return <ErrorState error={tokens.error} retry={() => void tokens.refetch()} />;
  return (
    <section className="stack" aria-labelledby="tokens">
      <h2 id="tokens">Tokens for scripts</h2>
      {tokens.data.length === 0 ? (
        <EmptyState icon={KeyRound} title="No token yet">
          A token lets a script do what you may do. Give each script its own, so that you can revoke it alone.
        </EmptyState>
      ) : (
        <TableScroll label="Tokens" card>
          <table className="table">
            <thead>
              <tr>
                <th scope="col">Name</th>
                <th scope="col">Begins with</th>
                <th scope="col">Last used</th>
                <th scope="col">
                  <span className="sr-only">Revoke</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {tokens.data.map((token) => (
                <tr key={token.id}>
                  <td>
                    <b>{token.name}</b>
                    <br />
                    <span className="muted small">made {ago(token.created_at)}</span>
                  </td>
                  <td className="mono">{token.hint}…</td>
                  <td className="muted small">{token.last_used_at ? ago(token.last_used_at) : "never"}</td>
                  <td className="number">
                    <RemoveButton
                      label={`Revoke ${token.name}`}
                      verb="Revoke"
                      disabled={revoke.isPending}
                      onRemove={() => revoke.mutate(token.id)}
                    >
                      A script that still uses this token is refused from now on.
                    </RemoveButton>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </TableScroll>
      )}
    </section>
  );
}

function NewToken() {
  const [name, setName] = useState("");
  const queries = useQueryClient();
  const make = useMutation({
    mutationFn: () => api.makeToken(name.trim()),
    onSuccess: () => {
      setName("");
      void queries.invalidateQueries({ queryKey: ["tokens"] });
    },
  });
  return (
    <CardForm title="New token" error={make.error} submit={() => make.mutate()}>
      <TextField label="Name" hint="What it is for." required maxLength={100} value={name} onChange={setName} />
      <div className="row">
        <Button type="submit" icon={KeyRound} busy={make.isPending}>
          Make a token
        </Button>
      </div>
      {make.data && (
        <CopyField
          label="Your token"
          value={make.data.key}
          hint="It is shown this once. Send it as: Authorization: Token …"
        />
      )}
    </CardForm>
  );
}
