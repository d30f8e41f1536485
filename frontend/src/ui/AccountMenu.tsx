import { useMutation, useQueryClient } from "@tanstack/react-query";
import { KeyRound, LogOut, UserRound } from "lucide-react";
import { DropdownMenu } from "radix-ui";
import { useState } from "react";
import { useNavigate } from "react-router";
import { messageOf } from "../api/client";
import { api } from "../api/endpoints";
import { Button, Dialog, Note } from "./kit/kit";
import { useToast } from "./kit/toast";
import { useUser } from "./session";
import { useJournalStatus } from "./workbench";

/** Who is signed in, the way to what is theirs, and out. */
export function AccountMenu() {
  const user = useUser();
  const queries = useQueryClient();
  const navigate = useNavigate();
  const toast = useToast();
  const { onlyHere } = useJournalStatus();
  const [asking, setAsking] = useState(false);
  const signOut = useMutation({
    mutationFn: api.signOut,
    onSuccess: () => queries.resetQueries(),
    onError: (error) => asking || toast(`You are still signed in. ${messageOf(error)}`),
  });
  return (
    <>
      <DropdownMenu.Root modal={false}>
        <DropdownMenu.Trigger className="button button--quiet">
          <UserRound size={17} aria-hidden />
          {user.name || user.username}
        </DropdownMenu.Trigger>
        <DropdownMenu.Portal>
          <DropdownMenu.Content className="menu" align="end" sideOffset={6}>
            <DropdownMenu.Label className="menu__label">Signed in as {user.username}</DropdownMenu.Label>
            <DropdownMenu.Item className="menu__item" onSelect={() => navigate("/account")}>
              <KeyRound size={16} aria-hidden />
              Account, groups and tokens
            </DropdownMenu.Item>
            <DropdownMenu.Item
              className="menu__item"
              onSelect={() => (onlyHere > 0 ? setAsking(true) : signOut.mutate())}
            >
              <LogOut size={16} aria-hidden />
              Sign out
            </DropdownMenu.Item>
          </DropdownMenu.Content>
        </DropdownMenu.Portal>
      </DropdownMenu.Root>
      {asking && (
        <Dialog title="Sign out and lose work?" onClose={() => setAsking(false)}>
          <div className="stack">
            {signOut.isError && <Note tone="bad">{messageOf(signOut.error)}</Note>}
            <p>
              This browser could not store {onlyHere === 1 ? "1 change" : `${onlyHere} changes`} to masks, and the
              server does not have {onlyHere === 1 ? "it" : "them"} yet. Signing out loses{" "}
              {onlyHere === 1 ? "it" : "them"}; kept open, this page sends what waits as soon as the server answers.
            </p>
            <div className="dialog__actions">
              <Button onClick={() => setAsking(false)}>Stay signed in</Button>
              <Button look="danger" busy={signOut.isPending} onClick={() => signOut.mutate()}>
                Sign out
              </Button>
            </div>
          </div>
        </Dialog>
      )}
    </>
  );
}
