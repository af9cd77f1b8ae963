<?php
// SPDX-License-Identifier: Apache-2.0
// DokuWiki's user is the one whom Apache has signed in; its groups are the roles. Nothing is read from request headers.

class auth_plugin_authentra extends DokuWiki_Auth_Plugin
{
    public function __construct()
    {
        parent::__construct();
        $this->cando['external'] = true;
        $this->cando['logout'] = false;   // a link to /.entra/logout signs out
    }

    public function trustExternal($user, $pass, $sticky = false)
    {
        global $USERINFO;
        $name = $_SERVER['REMOTE_USER'] ?? '';
        if ($name === '' || ($_SERVER['AUTH_TYPE'] ?? '') !== 'Entra') {
            return false;
        }
        $roles = array_filter(explode(',', $_SERVER['ENTRA_ROLES'] ?? ''), 'strlen');
        $USERINFO = [
            'name' => $_SERVER['ENTRA_NAME'] ?? $name,
            'mail' => $_SERVER['ENTRA_EMAIL'] ?? '',
            'grps' => array_merge(['user'], $roles),
        ];
        $_SESSION[DOKU_COOKIE]['auth']['user'] = $name;
        $_SESSION[DOKU_COOKIE]['auth']['info'] = $USERINFO;
        return true;
    }

    public function isCaseSensitive()
    {
        return true;
    }

    // A name is compared as it stands; the characters of a user name at Entra are all it may have.
    public function cleanUser($user)
    {
        return $user;
    }

    public function cleanGroup($group)
    {
        return $group;
    }
}
